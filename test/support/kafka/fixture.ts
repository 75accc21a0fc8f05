/** What the run starts once for all files of `test/kafka`; each takes it with `inject('kafka')`. */

export interface KafkaFixture {
  readonly bootstrap: string
  /** Root of Confluent's API. */
  readonly registryUrl: string
  /** Of Kafka. */
  readonly version: string
  /** What runs Kafka's tools, and the folder of their jars. */
  readonly java: string
  readonly jars: string
  /** Where the Java clients listen. */
  readonly oraclePort: number
  /** Partitions of the broker, one folder each; absent where the broker is somebody else's. */
  readonly logDirectory?: string
}

declare module 'vitest' {
  interface ProvidedContext {
    kafka: KafkaFixture
  }
}
