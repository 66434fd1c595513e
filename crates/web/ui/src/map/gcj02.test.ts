import { describe, expect, it } from 'vitest'
import { toGcj02, toWgs84 } from './gcj02'

// Pairs published with eviltransform (github.com/googollee/eviltransform), latitude first: Shanghai, Shenzhen, Beijing.
const PAIRS = [
  [31.1774276, 121.5272106, 31.17530398364597, 121.531541859215],
  [22.543847, 113.912316, 22.540796131694766, 113.9171764808363],
  [39.911954, 116.377817, 39.91334545536069, 116.38404722455657],
] as const

describe('GCJ-02', () => {
  it('is where others say it is', () => {
    for (const [latitude, longitude, north, east] of PAIRS) {
      const there = toGcj02({ latitude, longitude })
      expect(there.latitude).toBeCloseTo(north, 7)
      expect(there.longitude).toBeCloseTo(east, 7)
    }
  })
  it('leads back to WGS-84', () => {
    for (const [latitude, longitude] of PAIRS) {
      const back = toWgs84(toGcj02({ latitude, longitude }))
      expect(back.latitude).toBeCloseTo(latitude, 8)
      expect(back.longitude).toBeCloseTo(longitude, 8)
    }
  })
  it('is the same outside the mainland', () => {
    const denver = { latitude: 39.7392, longitude: -104.9903 }
    expect(toGcj02(denver)).toEqual(denver)
    expect(toWgs84(denver)).toEqual(denver)
  })
})
