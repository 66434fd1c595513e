import { describe, expect, it } from 'vitest'
import { cellsOf, parseCameras, splitFor } from './split'

describe('a split screen', () => {
  it('reads the list of the address, whatever it says', () => {
    expect(parseCameras('3,1,3,x,-2,0,,99999999999,7', 3)).toEqual([3, 1, 7])
    expect(parseCameras('', 64)).toEqual([])
  })
  it('is as large as needed unless told otherwise', () => {
    expect([0, 1, 2, 4, 5, 10, 40].map((n) => splitFor(null, n))).toEqual([1, 1, 4, 4, 9, 16, 16])
    expect(splitFor(4, 40)).toBe(4)
    expect(splitFor(7, 1)).toBe(1)
  })
  it('shows page after page', () => {
    expect(cellsOf([1, 2, 3, 4, 5], 4, 1)).toEqual([1, 2, 3, 4])
    expect(cellsOf([1, 2, 3, 4, 5], 4, 2)).toEqual([5, null, null, null])
  })
})
