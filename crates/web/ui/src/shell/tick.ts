// One clock for the page: the service's time, once a second, and only while somebody looks.
import { shallowRef } from 'vue'
import { now } from '@/state'

export const ticking = shallowRef(now())
setInterval(() => {
  if (!document.hidden) ticking.value = now()
}, 1000)
