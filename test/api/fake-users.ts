/** Users, carts and data keys of the fake pipeline: the real sealing, over a map. */
import type { NewsPlace, PrivacyPort, UserNewsView, WaitOptions } from '../../api/index.ts'
import { type Eraser, keyPort } from '../../cli/pipeline/privacy/key-port.ts'
import {
  type CartChanged,
  MasterKeys,
  type PrivacyKeys,
  topics,
  type UserProfile,
} from '../../schemas/index.ts'
import type { Answer, AppendRecord } from '../../streams/index.ts'
import { FakeOrders } from './fake-orders.ts'

export const MASTER_KEY = 'ab'.repeat(32)

export abstract class FakeUsers extends FakeOrders {
  readonly profiles = new Map<string, UserProfile>()
  readonly carts = new Map<string, CartChanged>()
  readonly keys = new Map<string, PrivacyKeys>()
  masterKeys: MasterKeys | undefined = MasterKeys.parse(MASTER_KEY)
  /** Erasures as they were noted, and how often the disk was swept. */
  readonly noted: string[] = []
  sweeps = 0
  readonly #eraser: Eraser = {
    note: (userId) => {
      this.noted.push(userId)
      return Promise.resolve()
    },
    sweep: () => void (this.sweeps += 1),
  }
  #port: PrivacyPort | undefined

  profile(userId: string): Answer<UserProfile | undefined> {
    this.read()
    return { value: this.profiles.get(userId), positions: [this.position('user.profile', userId)] }
  }

  cart(userId: string): Answer<CartChanged | undefined> {
    this.read()
    return { value: this.carts.get(userId), positions: [this.position('cart.changed', userId)] }
  }

  readonly told = new Map<string, UserNewsView[]>()
  readonly #newsWaiters = new Set<() => void>()

  get newsWaiters(): number {
    return this.#newsWaiters.size
  }

  /** All of what is kept of a user's news from now on; whoever waits sees it. */
  tellUser(userId: string, news: readonly UserNewsView[]): void {
    this.told.set(userId, [...news])
    for (const look of this.#newsWaiters) look()
  }

  userNews(userId: string, after: NewsPlace | undefined): Promise<readonly UserNewsView[]> {
    this.read()
    const all = this.told.get(userId) ?? []
    const last = all.at(-1)?.place
    const isOfNow = after?.begun === last?.begun && (after?.sequence ?? 0) <= (last?.sequence ?? 0)
    return Promise.resolve(all.filter(({ place }) => !isOfNow || place.sequence > (after?.sequence ?? 0)))
  }

  userNewsUntil(
    userId: string,
    after: NewsPlace | undefined,
    { timeoutMs, signal }: WaitOptions,
  ): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const end = () => {
      clearTimeout(timer)
      this.#newsWaiters.delete(look)
      resolve()
    }
    const look = () => {
      void this.userNews(userId, after).then((news) => news.length > 0 && end())
    }
    const timer = setTimeout(end, timeoutMs)
    signal?.addEventListener('abort', end)
    this.#newsWaiters.add(look)
    return promise
  }

  sealed: PrivacyPort['sealed'] = (userId, append) => this.#keyPort.sealed(userId, append)
  opener: PrivacyPort['opener'] = (userId) => this.#keyPort.opener(userId)
  erasing: PrivacyPort['erasing'] = (userId) => this.#keyPort.erasing(userId)
  hasKey: PrivacyPort['hasKey'] = (userId) => this.#keyPort.hasKey(userId)
  erased: PrivacyPort['erased'] = () => this.#keyPort.erased()

  get #keyPort(): PrivacyPort {
    this.#port ??= keyPort({
      masterKeys: this.masterKeys,
      kept: (userId) => {
        this.read()
        return { value: this.keys.get(userId), positions: [] }
      },
      copied: () => undefined,
      clock: { now: () => 1, monotonic: () => 1 },
      eraser: this.#eraser,
    })
    return this.#port
  }

  protected override serve(record: AppendRecord): void {
    const { topic, key, value } = record
    if (topic === topics.privacyKey.name && value === null) this.keys.delete(String(key))
    else if (topic === topics.privacyKey.name) {
      const { userId, ...wrapped } = topics.privacyKey.value.deserialize(value as Buffer)
      this.keys.set(userId, { keys: [...(this.keys.get(userId)?.keys ?? []), wrapped] })
    } else if (topic === topics.userProfile.name) {
      const profile = topics.userProfile.value.deserialize(value as Buffer)
      this.profiles.set(profile.userId, profile)
    } else if (topic === topics.cartChanged.name) {
      const cart = topics.cartChanged.value.deserialize(value as Buffer)
      this.carts.set(cart.userId, cart)
    } else super.serve(record)
  }
}
