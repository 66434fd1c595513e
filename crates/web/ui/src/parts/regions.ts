// Where a picture lies that fills a box and loses what sticks out.

/** Style of a picture of `ratio` (width by height) centred in a box of `box`, so large that it leaves nothing free. */
export function place(ratio: number, box: number): Record<string, string> {
  const wide = ratio > box
  const width = wide ? ratio / box : 1
  const height = wide ? 1 : box / ratio
  const percent = (share: number) => `${(share * 100).toFixed(2)}%`
  return {
    left: percent((1 - width) / 2),
    top: percent((1 - height) / 2),
    width: percent(width),
    height: percent(height),
  }
}
