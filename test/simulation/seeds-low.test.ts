import { seedsComeOutRight } from './seeds.ts'

seedsComeOutRight(1)
