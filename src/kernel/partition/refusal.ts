/** An errno with the reason in words: what a person who gave an order gets to read. */
import { Errno } from '../abi/errno.ts';

export class Refusal extends Errno {
  readonly reason: string;

  constructor(errno: number, reason: string) {
    super(errno);
    this.reason = reason;
  }
}
