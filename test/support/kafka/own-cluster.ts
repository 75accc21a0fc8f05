/** Brokers of a file's own, to kill and to halt. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, inject } from 'vitest'
import { type ClusterOptions, type LocalCluster, startCluster } from '../../../cli/local-cluster/cluster.ts'
import './fixture.ts'

export type OwnClusterOptions = Omit<ClusterOptions, 'brokers' | 'directory' | 'version' | 'tunedFor'>

/** Registers the hooks that start and end it; call the answer inside of tests. Same version as the shared broker. */
export function threeBrokers(options: OwnClusterOptions = {}): () => LocalCluster {
  return duringFile((directory) => startOwn(directory, { ...options, brokers: 3 }))
}

/** As {@link threeBrokers}, with one. */
export function oneBroker(options: OwnClusterOptions = {}): () => LocalCluster {
  return duringFile((directory) => startOwn(directory, { ...options, brokers: 1 }))
}

/** Starts it in a new directory before the tests of the file or of the `describe`, and removes both after them. */
export function duringFile<T extends LocalCluster>(start: (directory: string) => Promise<T>): () => T {
  let cluster: T | undefined
  let directory: string | undefined
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-kafka-'))
    cluster = await start(directory)
  })
  afterAll(async () => {
    await cluster?.kill()
    if (directory !== undefined) await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  })
  return () => {
    if (cluster === undefined) throw new Error('the cluster is there in tests and later hooks only')
    return cluster
  }
}

export function startOwn(
  directory: string,
  options: Omit<ClusterOptions, 'directory' | 'version' | 'tunedFor'>,
): Promise<LocalCluster> {
  const { version } = inject('kafka')
  return startCluster({ ...options, directory: join(directory, 'cluster'), version, tunedFor: 'start' })
}
