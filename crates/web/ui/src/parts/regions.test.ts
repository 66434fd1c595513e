import { expect, it } from 'vitest'
import { place } from './regions'

it('a picture of the same shape fills its box', () => {
  expect(place(16 / 9, 16 / 9)).toEqual({ left: '0.00%', top: '0.00%', width: '100.00%', height: '100.00%' })
})

it('a higher picture loses its upper and lower border, a wider one its sides', () => {
  expect(place(4 / 3, 16 / 9)).toEqual({ left: '0.00%', top: '-16.67%', width: '100.00%', height: '133.33%' })
  expect(place(32 / 9, 16 / 9)).toEqual({ left: '-50.00%', top: '0.00%', width: '200.00%', height: '100.00%' })
})
