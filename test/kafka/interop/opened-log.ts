/** Our log on the run's broker, closed at the end of the test. */
import { inject, onTestFinished } from 'vitest'
import { type KafkaLog, type KafkaLogOptions, openKafkaLog } from '../../../transports/kafka/index.ts'
import { freshName } from '../../support/kafka/topics.ts'
import '../../support/kafka/fixture.ts'

/** An application of its own unless told. */
export async function openLog(options: Partial<KafkaLogOptions> = {}): Promise<KafkaLog> {
  const log = await openKafkaLog({
    application: freshName('interop'),
    connection: { brokers: inject('kafka').bootstrap.split(','), clientId: 'interop' },
    slot: 'a',
    version: '0.0.0',
    leaves: true,
    ...options,
  })
  onTestFinished(() => log.close())
  return log
}
