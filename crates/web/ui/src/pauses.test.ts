import { describe, expect, it } from 'vitest'
import { Pauses } from './pauses'

describe('pauses', () => {
  it('grow to the longest and begin anew', () => {
    const pauses = new Pauses(1000, 5000, () => 0.5)
    expect([pauses.next(), pauses.next(), pauses.next(), pauses.next(), pauses.next()]).toEqual([1000, 2000, 4000, 5000, 5000])
    pauses.reset()
    expect(pauses.next()).toBe(1000)
  })
  it('are never quite alike', () => {
    expect(new Pauses(1000, 5000, () => 0).next()).toBe(750)
    expect(new Pauses(1000, 5000, () => 0.999).next()).toBeLessThan(1250)
  })
})
