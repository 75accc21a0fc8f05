/**
 * Seeded defects: each a small change of one source, such as a tired programmer makes, that the simulator must notice. The
 * sources are not touched: `loader.ts` changes them as they are loaded, in a process of its own.
 */
export interface Defect {
  readonly name: string
  readonly file: string
  /** Stands in the file once. */
  readonly find: string
  readonly replace: string
  /** Which apps of `apps.ts` show it; all unless told. */
  readonly app?: 'coupons' | 'orders' | 'rankings' | 'timers'
  /** Within so many seeds, from 1 on. */
  readonly within: number
}

const KAFKA = 'transports/kafka'

export const DEFECTS: readonly Defect[] = [
  // --- the commit
  {
    name: 'positions run ahead of what was processed',
    file: 'streams/task-inputs.ts',
    find: 'partition, offset: position }',
    replace: 'partition, offset: position + 1 }',
    within: 50,
  },
  {
    name: 'positions are left out of the transaction',
    file: `${KAFKA}/commit.ts`,
    find: 'await producer.sendOffsets(member, offsets)',
    replace: '',
    within: 50,
  },
  {
    name: 'positions are committed without member and generation: no fencing',
    file: `${KAFKA}/protocol/transactions.ts`,
    find: 'into.int32(member.generation).string(member.member).nullableString(member.instance)',
    replace: "into.int32(-1).string('').nullableString(null)",
    within: 200,
  },
  {
    name: 'a changelog record of each batch is dropped',
    file: `${KAFKA}/commit.ts`,
    find: 'for (const { store, key, value, version } of changes) {',
    replace:
      'for (const { store, key, value, version } of changes.length > 1 ? changes.slice(1) : changes) {',
    within: 50,
  },
  {
    name: 'tombstones do not reach the changelog',
    file: `${KAFKA}/commit.ts`,
    find: 'for (const { store, key, value, version } of changes) {',
    replace: 'for (const { store, key, value, version } of changes) {\n      if (value === null) continue',
    within: 50,
  },
  {
    name: 'outputs of all tasks but the first are dropped',
    file: `${KAFKA}/commit.ts`,
    find: 'const index = groups.add(group, toBatchRecord(output))',
    replace:
      'if (commit !== commits[0]) continue\n      const index = groups.add(group, toBatchRecord(output))',
    within: 50,
  },
  {
    name: 'an end of unknown outcome counts as made',
    file: `${KAFKA}/transactional-producer.ts`,
    find: 'if (asked.isDoubtful && !isSuccess(asked)) throw this.#unknown(asked)',
    replace: 'if (asked.isDoubtful && !isSuccess(asked)) return',
    within: 200,
  },
  {
    name: 'a commit of unknown outcome is made again',
    file: `${KAFKA}/transactional-producer.ts`,
    find: "return new StreamsError('COMMIT_UNKNOWN', `EndTxn of",
    replace: "return new StreamsError('LOG_BUSY', `EndTxn of",
    within: 200,
  },
  {
    name: 'after a failure the producer goes on without being initialised',
    file: `${KAFKA}/transactional-producer.ts`,
    find: "else if (this.#state !== 'retired') this.#state = 'unsettled'",
    replace: "else if (this.#state !== 'retired') this.#state = 'ready'",
    within: 200,
  },
  {
    name: 'a failed commit keeps its overlay',
    file: 'streams/commits.ts',
    find: 'for (const task of tasks) backends.onFault(task, error)',
    replace: 'for (const task of tasks) task.committed()',
    within: 100,
  },
  {
    name: 'rows are not written after the commit',
    file: 'streams/commit.ts',
    find: 'await backend.write([...commit.state, positionsRow(log, backend, positions, now)])',
    replace: 'await backend.write([positionsRow(log, backend, positions, now)])',
    within: 50,
  },
  {
    name: 'the position is written in a batch before the rows',
    file: 'streams/commit.ts',
    find: 'await backend.write([...commit.state, positionsRow(log, backend, positions, now)])',
    replace:
      'await backend.write([positionsRow(log, backend, positions, now)])\n  await backend.write(commit.state)',
    within: 400,
  },

  // --- opening and restoring
  {
    name: 'a task that is opened again stands at its first position',
    file: 'streams/task-opener.ts',
    find: 'const checkpoint = await unlessAborted(signal, this.#options.log.committed(id))',
    replace:
      'const kept = this as unknown as Record<string, Checkpoint | undefined>\n    const checkpoint = (kept[JSON.stringify(id)] ??= await unlessAborted(signal, this.#options.log.committed(id)))',
    within: 100,
  },
  {
    name: 'positions are taken while a transaction may still change them',
    file: `${KAFKA}/group/group-offsets.ts`,
    find: 'offsetFetch([{ group, topics }], true)',
    replace: 'offsetFetch([{ group, topics }], false)',
    within: 400,
  },
  {
    name: 'a restore ends at the last stable offset, not at the high watermark',
    file: 'streams/changelog-replay.ts',
    find: 'return { from: stored?.offset ?? start, mark: highWatermark }',
    replace: 'return { from: stored?.offset ?? start, mark: (await log.bounds({ topic, partition })).end }',
    within: 400,
  },
  {
    name: 'a restore ends one change early',
    file: 'streams/changelog-replay.ts',
    find: 'return { from: stored?.offset ?? start, mark: highWatermark }',
    replace: 'return { from: stored?.offset ?? start, mark: highWatermark - 2 }',
    within: 100,
  },
  {
    name: 'a restore ignores tombstones',
    file: 'streams/changelog-replay.ts',
    find: 'if (key !== null) state.applyChange',
    replace: 'if (key !== null && value !== null) state.applyChange',
    within: 100,
  },
  {
    name: 'timers are not restored',
    file: 'streams/changelog-replay.ts',
    find: 'if (key !== null) state.applyChange',
    replace: "if (key !== null && store !== 'timers') state.applyChange",
    app: 'timers',
    within: 100,
  },
  {
    name: 'a database with a missing batch is used',
    file: 'state/numbered.ts',
    find: "if (verdict.state === 'hole')",
    replace: 'if (verdict.state !== verdict.state)',
    within: 400,
  },
  {
    name: 'checksums of rows are not looked at',
    file: 'state/rows.ts',
    find: 'if (crc32(value.subarray(0, checksumAt), ofKey) === value.readUInt32BE(checksumAt)) return',
    replace: 'if (ofKey >= 0) return',
    within: 400,
  },

  // --- the group
  {
    name: 'a task that was assigned away goes on',
    file: 'streams/task-set.ts',
    find: 'const left = [...this.#slots.values()].filter(({ name }) => !wanted.has(name))',
    replace:
      'const left: Slot[] = [...this.#slots.values()].filter(({ name }) => !wanted.has(name) && name === "")',
    within: 100,
  },
  {
    name: 'tasks go on although the group went on without the member',
    file: `${KAFKA}/group/membership.ts`,
    find: '    await this.#options.listener.revoked(cause)\n',
    replace: '',
    within: 200,
  },
  {
    name: 'a task is given to nobody',
    file: `${KAFKA}/group/leader.ts`,
    find: 'const assignment = { active, standby, peers: others, liveIds }',
    replace: 'const assignment = { active: active.slice(1), standby, peers: others, liveIds }',
    within: 10,
  },
  {
    name: 'a task is given to everybody',
    file: `${KAFKA}/group/leader.ts`,
    find: 'const assignment = { active, standby, peers: others, liveIds }',
    replace:
      'const all = [...new Set([...tasks.values()].flatMap((each) => each.active))]\n      const assignment = { active: all, standby, peers: others, liveIds }',
    within: 10,
  },

  // --- reading and appending
  {
    name: 'aborted records are read',
    file: `${KAFKA}/batches/decode.ts`,
    find: 'if (aborted.isAborted(this.#producerId(batch))) return true',
    replace: '',
    within: 100,
  },
  {
    name: 'an abort marker does not end the transaction',
    file: `${KAFKA}/batches/abort-filter.ts`,
    find: '    this.#active.delete(producerId)',
    replace: '',
    within: 200,
  },
  {
    name: 'an append without answer is sent again as a new one',
    file: `${KAFKA}/delivery.ts`,
    find: '        this.#pause(batch.queue, error as Error)\n      }\n      return',
    replace:
      '        if (isSent) {\n          this.unseal(batch)\n          this.#leaveProducer(batch.queue)\n        }\n        this.#pause(batch.queue, error as Error)\n      }\n      return',
    within: 200,
  },

  // --- time
  {
    name: 'a timer stays set when it has fired',
    file: 'streams/task-timers.ts',
    find: '      await deferred.run()\n      this.#checkProgress(due)',
    replace:
      '      await deferred.run()\n      state.timer(due.clock, due.name).schedule(due.key, due.at + 1_000)\n      this.#checkProgress(due)',
    app: 'timers',
    within: 10,
  },
  {
    name: 'wall timers fire a second early',
    file: 'streams/task-timers.ts',
    find: 'const due = state.popDueTimer(clock, now)',
    replace: 'const due = state.popDueTimer(clock, now + 1_000)',
    app: 'timers',
    within: 10,
  },

  // --- orders
  {
    name: 'stock undone before it is reserved leaves no tombstone',
    file: 'processors/stock/decide.ts',
    find: "return { answers, events: undo ? [{ kind: 'UNDONE', epoch, quantity: leftOf(order) }] : [] }",
    replace:
      "return { answers, events: undo && leftOf(order) > 0 ? [{ kind: 'UNDONE', epoch, quantity: leftOf(order) }] : [] }",
    app: 'orders',
    within: 300,
  },
  {
    name: 'only products that were answered are restored',
    file: 'processors/orders/order-saga.ts',
    find: 'undo: ({ orderId, items }, { part: productId, epoch }) => {',
    replace:
      "undo: ({ orderId, items }, { part: productId, epoch, did }) => {\n          if (did === 'SENT') return null",
    app: 'orders',
    within: 100,
  },
  {
    name: 'an order that expires is over without being undone',
    file: 'streams/kit/saga/advance.ts',
    find: "if (deadlineIsOver(draft)) return goBack(draft, { kind: 'DEADLINE', step: step?.name ?? '', reason: '' })",
    replace:
      "if (deadlineIsOver(draft)) return change(draft, { phase: 'UNDONE', direction: 'BACK', endedAt: now, cause: { kind: 'DEADLINE', step: '', reason: '' } })",
    app: 'orders',
    within: 50,
  },
  {
    name: 'nobody asks what became of a payment without an answer',
    file: 'processors/orders/order-facts.ts',
    find: 'return isOpen ? [paymentRequest(data, payment.epoch)] : []',
    replace: 'return isOpen && data.orderId === "" ? [paymentRequest(data, payment.epoch)] : []',
    app: 'orders',
    within: 50,
  },
  {
    name: 'a refund has a new id each time it is sent',
    file: 'processors/orders/give-back.ts',
    find: 'command: (data) => {\n          const { orderId, paymentKey } = data\n          const value = {\n            refundId: refundId(data),',
    replace:
      'command: (data, { attempt }) => {\n          const { orderId, paymentKey } = data\n          const value = {\n            refundId: attempt > 1 ? `${refundId(data)}|${attempt}` : refundId(data),',
    app: 'orders',
    within: 100,
  },
  {
    name: 'points that go back are not taken off what the order has',
    file: 'processors/points/decide.ts',
    find: 'return restored({ ...order, parts, returnIds }, back,',
    replace: 'return restored({ ...order, returnIds }, back,',
    app: 'orders',
    within: 50,
  },
  {
    name: 'points come back into a lot and stay spent',
    file: 'processors/points/keep-points.ts',
    find: 'lots = takes ? withoutParts(lots, parts) : withParts(lots, parts)',
    replace: "lots = takes ? withoutParts(lots, parts) : kind === 'RESTORED' ? lots : withParts(lots, parts)",
    app: 'orders',
    within: 50,
  },
  {
    name: 'a coupon that is used is given to another order',
    file: 'processors/wallet/decide.ts',
    find: "if (status === 'USED') return 'ALREADY_USED'",
    replace: "if (status === 'USED') return undefined",
    app: 'orders',
    within: 50,
  },
  {
    name: 'a saga sets no timer for its answers',
    file: 'streams/kit/saga/run-saga.ts',
    find: 'if (setAt === undefined || setAt > dueAt || (ended && setAt !== dueAt)) timer',
    replace: 'if (ended) timer',
    app: 'orders',
    within: 100,
  },
  {
    name: 'a payment that is not the order’s own is kept',
    file: 'processors/orders/orchestrate.ts',
    find: "if (money <= 0) return context.dropped('EmptyPayment')",
    replace: "if (money <= 0 || order !== null) return context.dropped('EmptyPayment')",
    app: 'orders',
    within: 50,
  },
]
