// Where one can go, by what one may do.
import {
  Bell,
  Box,
  Calendar,
  Camera,
  DataLine,
  Files,
  Grid,
  Magic,
  MapLocation,
  MoreFilled,
  OfficeBuilding,
  Message,
  Odometer,
  Tickets,
  TrendCharts,
  Upload,
  User,
  VideoCamera,
} from './icons'
import { computed, type Component } from 'vue'
import type { TextKey } from '@/i18n'
import { may, session, type Power } from '@/state'

export interface Place {
  name: string
  title: TextKey
  icon: Component
  power?: Power
  group: 'watch' | 'manage'
}

const PLACES: readonly Place[] = [
  { name: 'overview', title: 'nav.overview', icon: Odometer, group: 'watch' },
  { name: 'wall', title: 'nav.wall', icon: Grid, group: 'watch' },
  { name: 'incidents', title: 'nav.incidents', icon: Bell, power: 'incidents', group: 'watch' },
  { name: 'orders', title: 'nav.orders', icon: Tickets, group: 'watch' },
  { name: 'sites', title: 'nav.sites', icon: OfficeBuilding, group: 'watch' },
  { name: 'map', title: 'nav.map', icon: MapLocation, group: 'watch' },
  { name: 'live', title: 'nav.live', icon: VideoCamera, power: 'live', group: 'watch' },
  { name: 'snapshots', title: 'nav.snapshots', icon: Camera, power: 'snapshots', group: 'watch' },
  { name: 'exports', title: 'nav.exports', icon: Box, power: 'export', group: 'watch' },
  { name: 'windows', title: 'nav.windows', icon: Calendar, group: 'watch' },
  { name: 'reports', title: 'nav.reports', icon: TrendCharts, group: 'watch' },
  { name: 'import', title: 'nav.import', icon: Upload, power: 'import', group: 'manage' },
  { name: 'users', title: 'nav.users', icon: User, power: 'users', group: 'manage' },
  { name: 'channels', title: 'nav.channels', icon: Message, power: 'channels', group: 'manage' },
  { name: 'audit', title: 'nav.audit', icon: Files, power: 'audit', group: 'manage' },
  { name: 'self', title: 'nav.self', icon: DataLine, power: 'self', group: 'manage' },
  { name: 'demo', title: 'nav.demo', icon: Magic, power: 'demo', group: 'manage' },
]

export const places = computed(() => PLACES.filter((place) => !place.power || may(place.power)))
/** What a telephone shows at its foot: for a technician his orders first. */
const FOOT: Record<'technician' | 'other', readonly string[]> = {
  technician: ['orders', 'incidents', 'sites', 'wall'],
  other: ['overview', 'wall', 'incidents', 'orders'],
}
export const bottomPlaces = computed<Place[]>(() => [
  ...FOOT[session.value?.user.role === 'technician' ? 'technician' : 'other'].flatMap((name) => places.value.filter((place) => place.name === name)),
  { name: 'more', title: 'nav.more', icon: MoreFilled, group: 'watch' },
])
