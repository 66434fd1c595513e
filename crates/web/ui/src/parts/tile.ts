// The steps of the density slider, in rem: from a mosaic of states to pictures one can judge.
export type TileKind = 'dot' | 'small' | 'normal' | 'large'
export interface TileSize {
  kind: TileKind
  width: number
  /** Height of the words below the picture (or of the whole tile without one). */
  caption: number
  gap: number
  picture: boolean
}
export const SIZES: readonly TileSize[] = [
  { kind: 'dot', width: 2.1, caption: 2.1, gap: 0.25, picture: false },
  { kind: 'small', width: 7.2, caption: 1.65, gap: 0.4, picture: true },
  { kind: 'normal', width: 11.5, caption: 3.1, gap: 0.6, picture: true },
  { kind: 'large', width: 16.5, caption: 3.1, gap: 0.714, picture: true },
  { kind: 'large', width: 26, caption: 3.1, gap: 0.857, picture: true },
]
