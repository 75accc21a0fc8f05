/** A saga among receivers that lose, repeat and reorder: what happened, and what stands at the end. */
import {
  advance,
  done,
  dueAtOf,
  doKind,
  isEnded,
  noEpochs,
  refused,
  saga,
  type SagaAction,
  type SagaInput,
  type SagaNotice,
  type SagaProgress,
  stands,
  type StepEpochs,
  undoKind,
} from '../../streams/kit/index.ts'

export interface Errand {
  readonly parts: readonly string[]
  readonly withExtra: boolean
}
export interface Command {
  readonly step: StepName
  readonly kind: 'do' | 'undo'
  readonly part: string
  readonly epoch: number
  readonly attempt: number
}
type StepName = 'goods' | 'extra' | 'money' | 'parcel' | 'letter'

const patience = { timeoutMs: 1_000, retry: { attempts: 3, backoffMs: 100 } }
const answer = (errand: Errand, ok: boolean) => (ok ? done(errand) : refused('no'))
const step = (name: StepName) => ({
  command: (_errand: Errand, sending: { part: string; epoch: number; attempt: number }): Command => {
    const { part, epoch, attempt } = sending
    return { step: name, kind: 'do', part, epoch, attempt }
  },
  answer,
  patience,
})
const undo =
  (name: StepName, when: readonly string[]) =>
  (
    _errand: Errand,
    undoing: { part: string; epoch: number; attempt: number; did: string },
  ): Command | null => {
    const { part, epoch, attempt, did } = undoing
    return when.includes(did) ? { step: name, kind: 'undo', part, epoch, attempt } : null
  }

export const DEADLINE_MS = 60_000
export const errands = saga<Errand, Command>()({
  name: 'errand',
  steps: {
    goods: {
      ...step('goods'),
      parts: ({ parts }) => parts,
      undo: undo('goods', ['SENT', 'DONE', 'REFUSED']),
      undone: answer,
    },
    extra: {
      ...step('extra'),
      parts: ({ withExtra }) => (withExtra ? [''] : []),
      undo: undo('extra', ['SENT', 'DONE']),
      undone: answer,
    },
    money: {
      ...step('money'),
      patience: { timeoutMs: null },
      undo: undo('money', ['DONE']),
      undone: answer,
      undoPatience: patience,
    },
    parcel: {
      ...step('parcel'),
      undo: undo('parcel', ['SENT', 'DONE']),
      undone: answer,
      onRefusal: 'undo',
      onUndoRefusal: 'resume',
    },
    letter: step('letter'),
  },
  pivot: 'money',
  deadline: () => DEADLINE_MS,
  keepMs: 1_000_000,
})
type Input = SagaInput<Errand, typeof errands.steps>

export type Event =
  /** A command reaches its receiver, once more if it did before; the receiver says yes or no if it may choose. */
  | { readonly kind: 'deliver'; readonly which: number; readonly yes: boolean }
  /** An answer reaches the saga, once more if it did before. */
  | { readonly kind: 'answer'; readonly which: number }
  /** All that was sent and not delivered yet is, and answered. */
  | { readonly kind: 'flow'; readonly yes: boolean }
  | { readonly kind: 'wait'; readonly ms: number }
  /** Longer than any sending is waited for. */
  | { readonly kind: 'silence' }
  | { readonly kind: 'cancel' }
  | { readonly kind: 'operator'; readonly action: SagaAction }

export interface Moved {
  readonly input: Input
  readonly before: SagaProgress<Errand> | undefined
  readonly after: SagaProgress<Errand>
  readonly commands: readonly Command[]
  readonly notices: readonly SagaNotice[]
  readonly now: number
}

/** What a receiver knows of a part. */
interface Asked extends StepEpochs {
  /** What it said to the last `do`. */
  readonly yes: boolean
}

export class World {
  readonly moves: Moved[] = []
  readonly #commands: { readonly command: Command; delivered: boolean }[] = []
  readonly #answers: { readonly input: Input; taken: boolean }[] = []
  readonly #asked = new Map<string, Asked>()
  readonly #refusedUndos = new Map<string, boolean>()
  /** What stands, by step and part. */
  readonly effects = new Map<string, number>()
  /** An operator said how it is; what stands proves nothing any more. */
  byHand = false
  now = 0
  progress: SagaProgress<Errand> | undefined

  constructor(errand: Errand) {
    this.#take({ kind: 'begin', data: errand })
  }

  play(event: Event): void {
    switch (event.kind) {
      case 'deliver':
        return this.#deliver(back(this.#commands, event.which), event.yes)
      case 'answer':
        return this.#hear(back(this.#answers, event.which))
      case 'flow':
        return this.#flow(event.yes)
      case 'wait':
        return this.#wait(event.ms)
      case 'silence':
        for (let i = 0; i < 12; i++) this.#wait(500)
        return
      case 'cancel':
        return this.#take({ kind: 'cancel', reason: 'asked to' })
      case 'operator':
        if (event.action === 'resume' || event.action === 'resolve') this.byHand ||= this.attention
        return this.#take({ kind: 'operator', action: event.action, reason: 'told to' })
    }
  }

  get attention(): boolean {
    return this.progress?.phase === 'NEEDS_ATTENTION'
  }

  /** Everything that was sent arrives, time passes; ends in an ended saga or one that needs attention. */
  settle(): void {
    for (let round = 0; round < 100; round++) {
      this.#flow(true)
      const quiet =
        this.#commands.every(({ delivered }) => delivered) && this.#answers.every((one) => one.taken)
      if (quiet && (this.attention || (this.progress !== undefined && isEnded(this.progress)))) return
      if (quiet) this.#wait(1_000)
    }
    throw new Error('it neither ends nor asks for attention')
  }

  #flow(yes: boolean): void {
    for (const sent of this.#commands.slice()) if (!sent.delivered) this.#deliver(sent, yes)
    for (const given of this.#answers.slice()) if (!given.taken) this.#hear(given)
  }

  #deliver(sent: { readonly command: Command; delivered: boolean } | undefined, yes: boolean): void {
    if (sent === undefined) return
    sent.delivered = true
    const { step, part, kind, epoch } = sent.command
    const key = `${step}/${part}`
    const known = this.#asked.get(key) ?? { ...noEpochs, yes: false }
    const isThere = stands(known) && known.yes
    if (kind === 'do') {
      const verdict = doKind(known, epoch)
      if (verdict === 'DECIDE') {
        this.#asked.set(key, { ...known, epoch, yes: isThere || yes })
        if (yes && !isThere) this.#effect(key, 1)
      }
      const ok = verdict !== 'CANCELLED' && this.#asked.get(key)?.yes === true
      this.#answers.push({ input: { kind: 'answer', step, part, answer: ok }, taken: false })
      return
    }
    // The courier may say no, the others only until an operator tries again. Who was asked says the same again.
    const asked = `${key}/${epoch}`
    const may = isThere && (step === 'parcel' || epoch === 0)
    const no = this.#refusedUndos.get(asked) ?? (!yes && may)
    this.#refusedUndos.set(asked, no)
    if (!no && undoKind(known, epoch) === 'UNDO') {
      if (isThere) this.#effect(key, -1)
      this.#asked.set(key, { ...known, undone: epoch })
    }
    const undone = { kind: 'undone', step, part, answer: !no } as unknown as Input
    this.#answers.push({ input: undone, taken: false })
  }

  #hear(given: { readonly input: Input; taken: boolean } | undefined): void {
    if (given === undefined) return
    given.taken = true
    this.#take(given.input)
  }

  #wait(ms: number): void {
    this.now += ms
    if (this.progress !== undefined && dueAtOf(errands, this.progress) <= this.now)
      this.#take({ kind: 'timer' })
  }

  #effect(key: string, by: number): void {
    this.effects.set(key, (this.effects.get(key) ?? 0) + by)
  }

  #take(input: Input): void {
    const before = this.progress
    const move = advance(errands, 'e1', before, input, this.now)
    const { commands, notices } = move
    if (move.progress === undefined) throw new Error('forgotten too early')
    // What is stored is bytes.
    const after = JSON.parse(JSON.stringify(move.progress)) as SagaProgress<Errand>
    this.progress = after
    this.moves.push({ input, before, after, commands, notices, now: this.now })
    for (const command of commands) this.#commands.push({ command, delivered: false })
    // Money that came too late goes back by the app's own hand.
    for (const notice of notices)
      if (notice.kind === 'late') this.#effect(`${notice.step}/${notice.part}`, -1)
  }
}

/** The n-th from the end, round and round. */
function back<T>(list: readonly T[], n: number): T | undefined {
  return list.at(-1 - (n % Math.max(1, list.length)))
}
