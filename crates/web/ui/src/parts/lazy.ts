// A part of a page that is fetched when it is first needed: its place says so meanwhile, and it is fetched again for as
// long as the service does not answer.
import { defineAsyncComponent, h, type Component } from 'vue'
import { Pauses } from '@/pauses'
import Notice from './Notice.vue'

export function lazy<T extends Component>(loader: () => Promise<{ default: T }>): T {
  const pauses = new Pauses(3_000, 30_000)
  return defineAsyncComponent({
    loader: async () => (await loader()).default,
    loadingComponent: () => h(Notice, { loading: true }),
    onError: (_error, retry) => setTimeout(retry, pauses.next()),
  }) as T
}
