// args: --console-output={FOLDER}/console.txt
// file console.txt: written by the script
// silent: written by the script
export default function () {
  console.warn('written by the script');
}
