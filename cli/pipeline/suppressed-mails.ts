/** Users whose addresses mails came back from, read along from their topic: the same in every process. */
import type { MailPort, SuppressedMail } from '../../api/index.ts'
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
        const view = this.#view
        if (view === undefined) return undefined
        if (!view.ready) throw new StreamsError('TASK_NOT_HERE', 'bounces are not read yet')
        return {
          newest: (limit) =>
            view
              .values(limit)
              .map(withoutAddress)
              .sort((a, b) => b.at - a.at)
              .slice(0, limit),
          of: (userId) => {
            const found = view.get(userId)
            return found === undefined ? undefined : withoutAddress(found.value)
          },
        }
      },
    }
  }

  /** Idempotent. */
  close(): void {
    this.#view?.close()
  }
}

function withoutAddress({ userId, reason, mailId, at }: MailSuppressed): SuppressedMail {
  return { userId, reason, mailId, at }
}
