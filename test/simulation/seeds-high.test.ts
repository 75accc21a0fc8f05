import { seedsComeOutRight } from './seeds.ts'

seedsComeOutRight(251)
