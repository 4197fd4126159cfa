// args: --no-usage-report --profiling-enabled --compatibility-mode=base --traces-output=none --new-machine-readable-summary --type=js
// iterations: 1
// says: has no effect
export default function () {}
