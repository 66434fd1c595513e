// Who is who in the fleet: names by id, and what belongs together.
import type { CameraName, FleetNames, Site, Town, Uplink } from '@/api/types'

export class Names {
  readonly towns: Map<number, Town>
  readonly sites: Map<number, Site>
  readonly uplinks: Map<number, Uplink>
  readonly cameras: Map<number, CameraName>
  /** Cameras in the order of town, site and name: the order screens show them. */
  readonly order: readonly CameraName[]
  readonly camerasOfSite = new Map<number, CameraName[]>()
  readonly sitesOfTown = new Map<number, Site[]>()
  private readonly texts = new Map<number, string>()

  constructor(fleet: FleetNames) {
    this.towns = new Map(fleet.towns.map((town) => [town.id, town]))
    this.sites = new Map(fleet.sites.map((site) => [site.id, site]))
    this.uplinks = new Map(fleet.uplinks.map((uplink) => [uplink.id, uplink]))
    this.cameras = new Map(fleet.cameras.map((camera) => [camera.id, camera]))
    const town = (camera: CameraName) => this.sites.get(camera.site)?.town ?? 0
    this.order = [...fleet.cameras].sort((a, b) => town(a) - town(b) || a.site - b.site || a.id - b.id)
    for (const camera of this.order) {
      const list = this.camerasOfSite.get(camera.site)
      if (list) list.push(camera)
      else this.camerasOfSite.set(camera.site, [camera])
    }
    for (const site of [...fleet.sites].sort((a, b) => a.id - b.id)) {
      const list = this.sitesOfTown.get(site.town)
      if (list) list.push(site)
      else this.sitesOfTown.set(site.town, [site])
    }
  }

  camera(id: number): string {
    return this.cameras.get(id)?.name ?? `#${id}`
  }
  site(id: number): string {
    return this.sites.get(id)?.name ?? `#${id}`
  }
  town(id: number): string {
    return this.towns.get(id)?.name ?? `#${id}`
  }
  uplink(id: number): string {
    return this.uplinks.get(id)?.name ?? `#${id}`
  }
  townOfCamera(id: number): number | undefined {
    const site = this.cameras.get(id)?.site
    return site === undefined ? undefined : this.sites.get(site)?.town
  }
  /** Where a camera stands: `town · site`. */
  place(id: number): string {
    const site = this.sites.get(this.cameras.get(id)?.site ?? -1)
    return site ? `${this.town(site.town)} · ${site.name}` : ''
  }

  /** What a search looks through: camera, site, town, uplink and number, in lower case. */
  searchText(id: number): string {
    let text = this.texts.get(id)
    if (text === undefined) {
      const camera = this.cameras.get(id)
      const uplink = camera?.uplink == null ? '' : this.uplink(camera.uplink)
      text = `${camera?.name ?? ''} ${this.place(id)} ${uplink} ${id}`.toLowerCase()
      this.texts.set(id, text)
    }
    return text
  }
}
