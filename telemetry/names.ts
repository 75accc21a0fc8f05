/**
 * Every metric of Millrace's own: name, kind, labels, meaning. Names end in their unit, counters in `_total`;
 * units are seconds and bytes. `docs/metrics.md` has the same list, and a test holds it to this one.
 */

export interface MetricSpec {
  readonly help: string
  readonly labels: readonly string[]
  /** Histograms only: upper limits of the buckets, in the metric's unit. */
  readonly buckets?: readonly number[]
}

const FAST = [0.000_25, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1] as const
const HTTP = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30] as const

export const counters = {
  millrace_task_processed_records_total: { help: 'Records processed.', labels: ['topology', 'task'] },
  millrace_task_dropped_records_total: {
    help: 'Records passed over: null keys, late records, timers that no processor has any more.',
    labels: ['topology', 'task', 'reason'],
  },
  millrace_task_dead_letters_total: {
    help: 'Records sent to a dead letter topic.',
    labels: ['topology', 'topic', 'reason'],
  },
  millrace_task_emitted_records_total: {
    help: 'Records that committed batches wrote to a topic.',
    labels: ['topology', 'topic'],
  },
  millrace_task_restored_records_total: {
    help: 'Changes read back from changelogs.',
    labels: ['topology', 'task'],
  },
  millrace_standby_updated_records_total: {
    help: 'Changes that standbys took from changelogs.',
    labels: ['topology', 'task'],
  },
  millrace_topology_commits_total: { help: 'Commits that became durable.', labels: ['topology'] },
  millrace_topology_committed_records_total: {
    help: 'Input records of commits that became durable.',
    labels: ['topology'],
  },
  millrace_connector_delivered_records_total: {
    help: 'Records of deliveries that a target took.',
    labels: ['connector'],
  },
  millrace_connector_failures_total: {
    help: 'Tries that failed; the outcome says whether it is tried again.',
    labels: ['connector', 'kind', 'outcome'],
  },
  millrace_connector_dead_letters_total: {
    help: 'Records that a connector sent to a dead letter topic.',
    labels: ['connector', 'topic', 'reason'],
  },
  millrace_log_batches_total: { help: 'Synced batches of the log.', labels: [] },
  millrace_log_batch_records_total: { help: 'Records in synced batches.', labels: [] },
  millrace_log_written_bytes_total: { help: 'Bytes of keys and values in synced batches.', labels: [] },
  millrace_log_faults_total: { help: 'Batches and housekeeping rounds that failed.', labels: [] },
  millrace_http_requests_total: { help: 'Requests answered.', labels: ['route', 'method', 'status'] },
  millrace_http_backpressure_total: {
    help: 'Writes refused because a task is too far behind on the topic.',
    labels: ['topic'],
  },
  millrace_coupon_decisions_total: {
    help: 'Decisions on requests for a coupon, since the coupon was made.',
    labels: ['coupon', 'decision'],
  },
  millrace_invariant_violations_total: {
    help: 'How often an invariant was found broken, since ever; every process says it of the whole deployment.',
    labels: ['invariant'],
  },
  millrace_incidents_total: { help: 'Incidents, as in the log lines.', labels: ['kind'] },
} as const satisfies Record<string, MetricSpec>

export const gauges = {
  millrace_build_info: { help: 'Always 1; the labels say what runs.', labels: ['version', 'node_version'] },
  millrace_task_paused: {
    help: '1 while a task takes no records because dead letters flood.',
    labels: ['topology', 'task'],
  },
  millrace_task_restore_remaining_records: {
    help: 'Offsets of its changelogs that a restoring task has still to read; 0 once it runs.',
    labels: ['topology', 'task'],
  },
  millrace_standby_lag_records: {
    help: 'Offsets of its changelogs that the standby of a task lacks.',
    labels: ['topology', 'task'],
  },
  millrace_task_lag_records: {
    help: 'Records of an input that a task has not processed yet.',
    labels: ['topology', 'task', 'topic'],
  },
  millrace_task_lag_seconds: {
    help: 'Age of the oldest record of an input that a task has not processed yet.',
    labels: ['topology', 'task', 'topic'],
  },
  millrace_task_stream_timestamp_seconds: {
    help: 'Highest event time that a task has seen, as Unix time.',
    labels: ['topology', 'task'],
  },
  millrace_topology_tasks: {
    help: 'Assigned tasks by state; one that waits to be opened is restoring.',
    labels: ['topology', 'state'],
  },
  millrace_topology_state: {
    help: '1 for the state that the topology is in, 0 for the others.',
    labels: ['topology', 'state'],
  },
  millrace_topology_clock_frozen: {
    help: '1 while expiries wait because the clocks disagree.',
    labels: ['topology'],
  },
  millrace_connector_lag_records: {
    help: 'Records of an input that a connector has not delivered yet; of the outbox, rows that wait.',
    labels: ['connector', 'task', 'topic'],
  },
  millrace_connector_state: {
    help: '1 for the state that the connector is in, 0 for the others.',
    labels: ['connector', 'state'],
  },
  millrace_connector_breaker: {
    help: '1 for the state that the breaker of the connector is in, 0 for the others.',
    labels: ['connector', 'state'],
  },
  millrace_store_size_bytes: {
    help: 'Estimated size of a store on disk, over all tasks.',
    labels: ['topology', 'store'],
  },
  millrace_log_waiting_records: { help: 'Records that wait for the disk.', labels: [] },
  millrace_log_waiting_bytes: { help: 'Bytes that wait for the disk.', labels: [] },
  millrace_log_disk_bytes: { help: 'Size of the data directory when last measured.', labels: [] },
  millrace_log_disk_limit_bytes: { help: 'Size from which writes are refused.', labels: [] },
  millrace_coupon_quota: { help: 'Coupons that a campaign gives out.', labels: ['coupon'] },
  millrace_coupon_quota_remaining: { help: 'Coupons that are left.', labels: ['coupon'] },
  millrace_invariant_incidents: {
    help: 'Incidents of broken invariants that are open; every process says it of the whole deployment.',
    labels: ['invariant'],
  },
  millrace_order_incidents: {
    help: 'Incidents of orders that are open, by what was found; every process says it of the whole deployment.',
    labels: ['found'],
  },
  millrace_sentinel_unanswered_requests: {
    help: 'Requests for coupons without a verdict, as far as the sentinel has read both.',
    labels: [],
  },
  millrace_ranking_watermark_age_seconds: {
    help: 'Clock time since the watermark of the boards. Idle shops age; so do replays of the past.',
    labels: [],
  },
} as const satisfies Record<string, MetricSpec>

export const histograms = {
  millrace_task_turn_duration_seconds: {
    help: 'Time of a task for one turn of up to 64 records.',
    labels: ['topology'],
    buckets: FAST,
  },
  millrace_task_record_duration_seconds: {
    help: 'Time per record, averaged over each turn.',
    labels: ['topology', 'task'],
    buckets: [
      0.000_001, 0.000_002_5, 0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_5, 0.002_5, 0.01,
    ],
  },
  millrace_topology_commit_duration_seconds: {
    help: 'Time of a commit, from its first step to its last.',
    labels: ['topology'],
    buckets: FAST,
  },
  millrace_log_batch_duration_seconds: {
    help: 'Time from taking what waits to the answer of the disk.',
    labels: [],
    buckets: FAST,
  },
  millrace_connector_delivery_duration_seconds: {
    help: 'Time of one delivery of a batch that the target took.',
    labels: ['connector'],
    buckets: HTTP,
  },
  millrace_http_request_duration_seconds: {
    help: 'Time from the first byte of a request to the last of its answer.',
    labels: ['route', 'method'],
    buckets: HTTP,
  },
} as const satisfies Record<string, MetricSpec>
