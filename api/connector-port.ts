/** Connectors as the API needs them. */

export interface ConnectorPort {
  /** Those of this process, with the tasks that run here. Rejects with what the log rejects with. */
  connectors(): Promise<readonly ConnectorReport[]>
  /** Nothing where there is none of this name. Throws `TASK_NOT_HERE` while it is not known here what was switched. */
  isConnectorPaused(name: string): boolean | undefined
  /** What was appended to `ops.connector` takes effect here at once; elsewhere, as it is read. */
  setConnectorPaused(name: string, paused: boolean): void
}

export interface ConnectorReport {
  readonly name: string
  readonly state: 'joining' | 'running' | 'paused' | 'failed' | 'stopped'
  readonly breaker: 'closed' | 'open' | 'half-open'
  readonly tasks: readonly ConnectorTaskReport[]
  /** Of the outbox, whose input is a table: rows that are not published, where its task runs here. */
  readonly waitingRows?: number
}

export interface ConnectorTaskReport {
  readonly name: string
  readonly partition: number
  /** Why it does not run any more. */
  readonly failure?: string | undefined
  readonly inputs: readonly {
    readonly topic: string
    readonly partition: number
    /** The next offset to be delivered. */
    readonly position: number
    readonly lagRecords: number
  }[]
}
