// Short words at the edge of the page after something was done.
import { ElMessage } from 'element-plus/es/components/message/index'
import { explain } from '@/problem'

export function done(text: string): void {
  ElMessage({ type: 'success', message: text, grouping: true, offset: 64 })
}

export function failed(error: unknown): void {
  ElMessage({ type: 'error', message: explain(error), grouping: true, duration: 6_000, offset: 64 })
}
