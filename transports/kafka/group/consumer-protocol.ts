/**
 * The outer layout of what members of a `consumer` group store with the broker, as Java's clients and tools read it: so
 * that `kafka-consumer-groups --describe --members --verbose` shows who reads which partitions. What the members of this
 * engine tell each other besides is a byte string inside.
 *
 * Written are version 1 of ConsumerProtocolSubscription and of ConsumerProtocolAssignment. Later versions only append
 * fields, so any version from 0 is read and what follows the user data is passed over.
 */
import { ProtocolError } from '../protocol/protocol-error.ts'
import { Reader } from '../protocol/reader.ts'
import { Writer } from '../protocol/writer.ts'

const VERSION = 1
/** Of one subscription or assignment. */
const MAX_TOPICS = 10_000
/** As Kafka itself has it. */
const TOPIC_NAME = /^[A-Za-z0-9._-]{1,249}$/

export interface TopicPartitions {
  readonly topic: string
  readonly partitions: readonly number[]
}

export interface OuterSubscription {
  readonly topics: readonly string[]
  readonly userData: Buffer
}

export interface OuterAssignment {
  readonly partitions: readonly TopicPartitions[]
  readonly userData: Buffer
}

export function writeSubscription({ topics, userData }: OuterSubscription): Buffer {
  const into = new Writer(64 + userData.length)
  into.int16(VERSION).classicArray(topics, (topic) => into.classicString(topic))
  into.classicBytes(userData)
  // Owned partitions: for Java's cooperative assignors; tasks are in the user data.
  return into.classicArray([], () => undefined).finish()
}

/** Throws `ProtocolError`. */
export function readSubscription(bytes: Buffer): OuterSubscription {
  const from = new Reader(bytes, 'subscription')
  readVersion(from)
  const topics = bounded(from.classicArray(() => readTopic(from)))
  return { topics, userData: from.classicBytes() }
}

export function writeAssignment({ partitions, userData }: OuterAssignment): Buffer {
  const into = new Writer(64 + userData.length)
  into.int16(VERSION).classicArray(partitions, (one) => {
    into.classicString(one.topic).classicArray(one.partitions, (partition) => into.int32(partition))
  })
  return into.classicBytes(userData).finish()
}

/** Throws `ProtocolError`. */
export function readAssignment(bytes: Buffer): OuterAssignment {
  const from = new Reader(bytes, 'assignment')
  readVersion(from)
  const partitions = bounded(
    from.classicArray(() => ({
      topic: readTopic(from),
      partitions: from.classicArray(() => readPartition(from)),
    })),
  )
  return { partitions, userData: from.classicBytes() }
}

function readVersion(from: Reader): void {
  const version = from.int16()
  if (version < 0) throw new ProtocolError(`version ${version}`)
}

function readPartition(from: Reader): number {
  const partition = from.int32()
  if (partition < 0) throw new ProtocolError(`partition ${partition}`)
  return partition
}

function readTopic(from: Reader): string {
  const topic = from.classicString()
  if (!TOPIC_NAME.test(topic)) throw new ProtocolError('a topic has no name that Kafka allows')
  return topic
}

function bounded<T>(items: T[]): T[] {
  if (items.length > MAX_TOPICS) throw new ProtocolError(`${items.length} topics; ${MAX_TOPICS} are possible`)
  return items
}
