// What lies between a browser and the service, to be pulled out: whatever is open then breaks off, nothing new gets through.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export class Cable {
  private readonly sockets = new Set<Socket>()
  private plugged = true
  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  /** A cable to the service at this address. */
  static async to(service: string): Promise<Cable> {
    const { hostname, port } = new URL(service)
    const server = createServer()
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    const cable = new Cable(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    server.on('connection', (near) => {
      if (!cable.plugged) return near.destroy()
      const far = connect(Number(port), hostname)
      for (const [one, other] of [[near, far], [far, near]] as const) {
        cable.sockets.add(one)
        one.on('error', () => undefined).on('close', () => {
          cable.sockets.delete(one)
          other.destroy()
        })
        one.pipe(other)
      }
    })
    return cable
  }

  pullOut(): void {
    this.plugged = false
    for (const socket of this.sockets) socket.destroy()
  }
  plugIn(): void {
    this.plugged = true
  }
  close(): void {
    this.pullOut()
    this.server.close()
  }
}
