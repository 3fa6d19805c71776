/** Writes a time for people, in UTC to the second: `2026-11-21 12:00:05Z`. */
export function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace('T', ' ')}Z`;
}
