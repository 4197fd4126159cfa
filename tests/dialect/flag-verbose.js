// args: --verbose
// says: only for the curious
export default function () {
  console.debug('only for the curious');
}
