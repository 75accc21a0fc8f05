/** Users whose addresses mails came back from, read along from their topic: the same in every process. */
import type { MailPort } from '../../api/index.ts'
import type { Config } from '../../config/index.ts'
import type { MailSuppressed, Topics } from '../../schemas/index.ts'
import { type Clock, type Log, StreamsError } from '../../streams/index.ts'
import type { Telemetry } from '../../telemetry/index.ts'
import { sendsMail } from './mail.ts'
import { TopicView } from './topic-view.ts'

/** One has a few hundred bytes. */
const MAX_BYTES = 32 * 1024 * 1024

export interface SuppressedMailsOptions {
  readonly config: Config
  readonly log: Log
  readonly topics: Pick<Topics, 'mailSuppressed'>
  readonly clock: Clock
  readonly telemetry: Pick<Telemetry, 'logger'>
}

export class SuppressedMails {
  readonly #view: TopicView<MailSuppressed> | undefined

  /** Begins to read, where mails are sent. The topic exists then. */
  constructor({ config, log, topics, clock, telemetry }: SuppressedMailsOptions) {
    const { name, value } = topics.mailSuppressed
    if (!sendsMail(config)) return
    this.#view = new TopicView({
      log,
      topic: name,
      value,
      clock,
      maxBytes: MAX_BYTES,
      onFault: (topic, fault) => telemetry.logger.warn({ topic, err: fault }, 'bounces cannot be read on'),
    })
  }

  get port(): MailPort {
    return {
      suppressedMails: () => {
        if (this.#view === undefined) return undefined
        if (!this.#view.ready) throw new StreamsError('TASK_NOT_HERE', 'bounces are not read yet')
        return this.#view.values().map(({ userId, reason, mailId, at }) => ({ userId, reason, mailId, at }))
      },
    }
  }

  /** Idempotent. */
  close(): void {
    this.#view?.close()
  }
}
