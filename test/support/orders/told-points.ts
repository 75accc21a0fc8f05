/** I13: what is told of users' points, beside the rows and by itself. */
import type { PointAccount, PointBooked } from '../../../schemas/index.ts'
import type { ShopLog } from './facts.ts'

/** Each entry of a user is told once, follows from the one before, and all of them come to what the user has. */
export function judgeToldPoints(log: ShopLog, accounts: ReadonlyMap<string, PointAccount>): string[] {
  const told = Map.groupBy(log.facts('pointEntry'), ({ value }) => value.userId)
  const chains = [...told].flatMap(([userId, facts]) =>
    judgeChain(
      userId,
      facts.map(({ value }) => value),
    ),
  )
  const ends = [...accounts].flatMap(([userId, { entries, lots }]) => {
    const values = (told.get(userId) ?? []).map(({ value }) => value)
    const sum = values.reduce((all, { points }) => all + points, 0)
    const has = lots.reduce((all, { points }) => all + points, 0)
    if (sum === has && values.length === entries) return []
    return [`I13: ${userId} has ${has} by ${entries} entries, of which ${values.length} of ${sum} are told`]
  })
  return [...chains, ...ends]
}

function judgeChain(userId: string, entries: readonly PointBooked[]): string[] {
  let balance = 0
  return entries.flatMap(({ entry, points, balanceAfter }, index) => {
    balance += points
    if (entry === index && balanceAfter === balance) return []
    return [`I13: ${userId} is told entry ${entry} with ${balanceAfter}, not ${index} with ${balance}`]
  })
}
