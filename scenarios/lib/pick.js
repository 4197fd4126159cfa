// Chance: which of several things a virtual user does next.

/** One element of a list, each as likely as the others. */
export function oneOf(list) {
  return list[Math.floor(Math.random() * list.length)];
}

/** A whole number from `least` to `most`, both included. */
export function between(least, most) {
  return least + Math.floor(Math.random() * (most - least + 1));
}

/** One of several `{ weight, … }`, each as likely as its weight is of the sum of all. */
export function weighted(choices) {
  let left = Math.random() * choices.reduce((sum, { weight }) => sum + weight, 0);
  return choices.find(({ weight }) => (left -= weight) < 0) || choices[choices.length - 1];
}
