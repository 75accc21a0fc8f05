/**
 * Starts a broker, a registry and the Java clients for one run of `test/kafka`.
 *
 * `KAFKA_VERSION` chooses the broker's version. `KAFKA_BROKERS` and `SCHEMA_REGISTRY_URL`, both or neither, name
 * servers that run already. What cannot be started fails the run; nothing is skipped.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { KAFKA_VERSION, kafkaJars } from '../../../cli/local-cluster/artifacts.ts'
import { type LocalCluster, startCluster } from '../../../cli/local-cluster/cluster.ts'
import { findJava } from '../../../cli/local-cluster/java.ts'
import type { KafkaFixture } from './fixture.ts'
import { type OracleProcess, startOracle } from './oracle-process.ts'

let directory: string | undefined
let cluster: LocalCluster | undefined
let oracle: OracleProcess | undefined

export async function setup(project: TestProject): Promise<void> {
  directory = await mkdtemp(join(tmpdir(), 'millrace-kafka-'))
  try {
    const version = process.env['KAFKA_VERSION'] ?? KAFKA_VERSION
    // First, so that both find the jars when they begin at the same time.
    const tools = { version, ...(await toolsOf(version)) }
    const serving = serversOf(directory, version)
    const starting = startOracle(tools, directory)
    // Both are at their end before what one of them has left is cleared away.
    const [, started] = await Promise.allSettled([serving, starting])
    if (started.status === 'fulfilled') oracle = started.value
    project.provide('kafka', { ...tools, ...(await serving), oraclePort: (await starting).port })
  } catch (error) {
    await teardown()
    throw error
  }
}

export async function teardown(): Promise<void> {
  oracle?.end()
  await cluster?.kill()
  if (directory !== undefined) await rm(directory, { recursive: true, force: true, maxRetries: 3 })
}

async function toolsOf(version: string): Promise<{ java: string; jars: string }> {
  return { java: await findJava(process.env), jars: await kafkaJars(version, { env: process.env }) }
}

async function serversOf(
  place: string,
  version: string,
): Promise<Pick<KafkaFixture, 'bootstrap' | 'registryUrl' | 'logDirectory'>> {
  const { KAFKA_BROKERS: bootstrap, SCHEMA_REGISTRY_URL: registryUrl } = process.env
  if (bootstrap !== undefined && registryUrl !== undefined) return { bootstrap, registryUrl }
  if (bootstrap !== undefined || registryUrl !== undefined) {
    throw new Error('give both KAFKA_BROKERS and SCHEMA_REGISTRY_URL, or neither')
  }
  cluster = await startCluster({
    brokers: 1,
    directory: join(place, 'cluster'),
    version,
    registry: true,
    tunedFor: 'start',
  })
  const [broker] = cluster.brokers
  if (broker === undefined || cluster.registryUrl === undefined) throw new Error('the cluster is not whole')
  return {
    bootstrap: cluster.bootstrap,
    registryUrl: cluster.registryUrl,
    logDirectory: broker.logDirectory,
  }
}
