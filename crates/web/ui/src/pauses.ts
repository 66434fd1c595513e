// Pauses between two tries of the same thing: each about twice the one before, and never of one length on two screens,
// so that a service that comes back is not asked by all of them at once.

export class Pauses {
  private ms: number
  constructor(
    private readonly first: number,
    private readonly longest: number,
    private readonly chance: () => number = Math.random,
  ) {
    this.ms = first
  }

  /** How long to wait before the next try, in milliseconds. */
  next(): number {
    const pause = this.ms * (0.75 + this.chance() / 2)
    this.ms = Math.min(this.ms * 2, this.longest)
    return pause
  }

  /** It worked. */
  reset(): void {
    this.ms = this.first
  }
}
