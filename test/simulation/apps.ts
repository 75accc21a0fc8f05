/** The apps that are simulated; a seed has one of them. */
import type { SimulatedApp } from '../../testing/index.ts'
import { coupons } from './coupons.ts'
import { orders } from './orders.ts'
import { rankings } from './rankings.ts'
import { timers } from './reminders.ts'
import { trips } from './trips.ts'

export const APPS: Readonly<Record<string, () => SimulatedApp>> = { coupons, orders, rankings, timers, trips }
const NAMES = ['coupons', 'coupons', 'rankings', 'timers'] as const

export function appNameOf(seed: number): string {
  return NAMES[seed % NAMES.length] ?? 'coupons'
}

export function appOf(seed: number, name: string = appNameOf(seed)): SimulatedApp {
  const make = APPS[name]
  if (make === undefined) throw new RangeError(`no app ${name}: ${Object.keys(APPS).join(', ')}`)
  return make()
}
