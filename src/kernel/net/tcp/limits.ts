/** The times and bounds of TCP, as on Linux, whose names for them are given. Times in milliseconds. */

export const TCP = {
  /** TCP_TIMEOUT_INIT (RFC 6298, 2.1) */
  rtoInitialMs: 1000,
  /** TCP_RTO_MIN: also the least that is added to the smoothed round trip, so that a delayed ACK does not trigger a retransmission. */
  rtoMinMs: 200,
  /** TCP_RTO_MAX */
  rtoMaxMs: 120_000,
  /** TCP_DELACK_MIN */
  delayedAckMs: 40,
  /** TCP_TIMEWAIT_LEN */
  timeWaitMs: 60_000,
  /** net.ipv4.tcp_fin_timeout: FIN_WAIT2 without a socket */
  finTimeoutMs: 60_000,
  /** TCP_FIN_TIMEOUT_MAX */
  finTimeoutMaxMs: 120_000,
  /** net.ipv4.tcp_invalid_ratelimit: between two answers to segments that do not fit */
  invalidRateMs: 500,
  /** net.ipv4.tcp_keepalive_time, _intvl, _probes */
  keepIdleMs: 7_200_000,
  keepIntervalMs: 75_000,
  keepProbes: 9,
  /** net.ipv4.tcp_syn_retries, tcp_synack_retries, tcp_retries2; and for connections that nobody holds any more */
  synRetries: 6,
  synAckRetries: 5,
  retries: 15,
  orphanRetries: 8,
  /** TCP_INIT_CWND, in segments (RFC 6928) */
  initialWindow: 10,
  /** TCP_MAX_QUICKACKS: ACKs sent at once when a connection is new, or order was lost */
  quickAcks: 16,
  /** TCP_MSS_DEFAULT, of who does not say (RFC 9293, 3.7.1); TCP_MIN_MSS, below which nobody is believed */
  mssDefault: 536,
  mssMin: 48,
  /** Windows in bytes: what half of net.ipv4.tcp_rmem (default, max) buys; SO_RCVBUF at least */
  window: 65535,
  windowMax: 3 << 20,
  windowMin: 1024,
  /** net.ipv4.tcp_wmem (least that is useful, max) */
  sendBuffer: 65536,
  sendBufferMax: 4 << 20,
  sendBufferMin: 2048,
  /** Pieces out of order that one connection holds, whatever their size */
  outOfOrderPieces: 1024,
  /** net.core.somaxconn */
  backlogMax: 4096,
  /** net.ipv4.tcp_max_tw_buckets */
  timeWaits: 32768,
} as const;

/** Largest shift of the window scale option (RFC 7323, 2.3). */
export const SCALE_MAX = 14;
