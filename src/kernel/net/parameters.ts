/** What a kernel is told of its network when it starts. */
import { DEFAULT_SWITCH, type SwitchSettings } from './switch/settings.ts';

export interface NetworkParameters {
  /** The virtual switch between the kernels of the machine, as long as nobody changes it. */
  readonly switch: SwitchSettings;
  /** Whether the bytes of frames are told to the outside as they pass (net/frame-trace.ts). */
  readonly capture: boolean;
}

export const DEFAULT_NETWORK: NetworkParameters = { switch: DEFAULT_SWITCH, capture: false };
