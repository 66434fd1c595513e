import { describe, expect, it } from 'vitest'
import { BEHIND, chase, pause, shownLongAgo } from './chase'

describe('a live picture', () => {
  it('begins close behind the newest frame, within what is there', () => {
    expect(chase(0, { start: 100, end: 104 })).toEqual({ seek: 104 - BEHIND })
    expect(chase(0, { start: 100, end: 100.04 })).toEqual({ seek: 100 })
  })
  it('goes on as it is while it is close', () => {
    expect(chase(103.8, { start: 100, end: 104 })).toEqual({ rate: 1 })
    expect(chase(104, { start: 100, end: 104 })).toEqual({ rate: 1 })
  })
  it('hurries when it falls behind, and jumps when that is not enough', () => {
    expect(chase(103, { start: 100, end: 104 })).toEqual({ rate: 1.1 })
    expect(chase(101, { start: 100, end: 104 })).toEqual({ seek: 104 - BEHIND })
  })
  it('leaves a gap behind', () => {
    expect(chase(99, { start: 102, end: 102.1 })).toEqual({ seek: 102 })
  })
  it('follows a stream that began anew', () => {
    expect(chase(500, { start: 0, end: 1 })).toEqual({ seek: 1 - BEHIND })
  })
  it('keeps little of what was shown', () => {
    expect(shownLongAgo(30, 15)).toBeNull()
    expect(shownLongAgo(40, 15)).toBe(32)
  })
  it('waits longer after each failure, but never long', () => {
    expect(pause(0, 0)).toBe(250)
    expect(pause(1, 1)).toBe(1000)
    expect(pause(50, 1)).toBe(10_000)
  })
})
