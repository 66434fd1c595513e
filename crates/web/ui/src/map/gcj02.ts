// WGS-84, which GPS and our register use, and GCJ-02, which maps and phones in mainland China show: some hundred metres
// apart, by a published approximation of an unpublished rule.

export interface Place {
  longitude: number
  latitude: number
}

/** Semi-major axis and squared eccentricity of the Krasovsky 1940 ellipsoid, which GCJ-02 uses. */
const A = 6_378_245
const EE = 0.006_693_421_622_965_943

/** Outside this box the two systems are the same. It is a rough one: Hong Kong and Macao lie in it. */
export function inMainland({ longitude, latitude }: Place): boolean {
  return longitude > 72.004 && longitude < 137.8347 && latitude > 0.8293 && latitude < 55.8271
}

function shift({ longitude, latitude }: Place): Place {
  const x = longitude - 105
  const y = latitude - 35
  const wave = (value: number, unit: number) => Math.sin((value / unit) * Math.PI)
  const common = (20 * wave(x, 1 / 6) + 20 * wave(x, 1 / 2)) * (2 / 3)
  const north =
    -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * Math.sqrt(Math.abs(x)) + common +
    ((20 * wave(y, 1) + 40 * wave(y, 3)) * 2) / 3 +
    ((160 * wave(y, 12) + 320 * wave(y, 30)) * 2) / 3
  const east =
    300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * Math.sqrt(Math.abs(x)) + common +
    ((20 * wave(x, 1) + 40 * wave(x, 3)) * 2) / 3 +
    ((150 * wave(x, 12) + 300 * wave(x, 30)) * 2) / 3
  const radians = (latitude / 180) * Math.PI
  const magic = 1 - EE * Math.sin(radians) ** 2
  return {
    latitude: (north * 180) / (((A * (1 - EE)) / (magic * Math.sqrt(magic))) * Math.PI),
    longitude: (east * 180) / ((A / Math.sqrt(magic)) * Math.cos(radians) * Math.PI),
  }
}

export function toGcj02(place: Place): Place {
  if (!inMainland(place)) return place
  const by = shift(place)
  return { longitude: place.longitude + by.longitude, latitude: place.latitude + by.latitude }
}

/** The inverse, found step by step: within a centimetre after a few. */
export function toWgs84(place: Place): Place {
  if (!inMainland(place)) return place
  let guess = place
  for (let step = 0; step < 10; step += 1) {
    const there = toGcj02(guess)
    const off = { longitude: there.longitude - place.longitude, latitude: there.latitude - place.latitude }
    guess = { longitude: guess.longitude - off.longitude, latitude: guess.latitude - off.latitude }
    if (Math.abs(off.longitude) < 1e-9 && Math.abs(off.latitude) < 1e-9) break
  }
  return guess
}
