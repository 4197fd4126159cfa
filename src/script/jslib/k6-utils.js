// The library k6-utils, by its documented interface: random values, text between marks, checks that can wait.
import { check as checkNow } from 'k6';
import { stage, tag, uuidv4 } from 'loadgen:native';

export { uuidv4 };

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** A whole number from min to max, both included. */
export function randomIntBetween(min, max) {
  return Math.floor(Math.random() * (max - min + 1) + min);
}

/** One of an array's elements, or of a text's characters. */
export function randomItem(items) {
  return items[Math.floor(Math.random() * items.length)];
}

export function randomString(length, charset = LETTERS) {
  let text = '';
  for (let i = 0; i < length; i++) text += charset[Math.floor(Math.random() * charset.length)];
  return text;
}

/** The text between two marks; with repeat all such texts, one after the other. null if there is none. */
export function findBetween(content, left, right, repeat = false) {
  const found = [];
  let from = 0;
  for (;;) {
    const start = content.indexOf(left, from);
    if (start < 0) break;
    const end = content.indexOf(right, start + left.length);
    if (end < 0) break;
    found.push(content.slice(start + left.length, end));
    if (!repeat) return found[0];
    from = end + right.length;
  }
  return found.length > 0 ? found : null;
}

/** Stages that rise and fall like the bell curve, from two deviations before its peak to two after it. */
export function normalDistributionStages(maxVus, durationSeconds, numberOfStages = 10) {
  const duration = `${Math.ceil(durationSeconds / (numberOfStages + 2))}s`;
  const stages = [];
  for (let i = 0; i <= numberOfStages; i++) {
    const deviation = -2 + (4 * i) / numberOfStages;
    stages.push({ duration, target: Math.ceil(maxVus * Math.exp(-(deviation ** 2) / 2)) });
  }
  stages.push({ duration, target: 0 });
  return stages;
}

/** As check of 'k6'; a condition may also be, or return, a promise, and then so is the result. */
export function check(value, sets, tags) {
  const results = {};
  const waiting = [];
  let thrown;
  for (const name of Object.keys(sets)) {
    let result = sets[name];
    try {
      if (typeof result === 'function') result = result(value);
    } catch (error) {
      result = false;
      thrown ??= { error };
    }
    if (result !== null && typeof result === 'object' && typeof result.then === 'function') {
      waiting.push(
        result.then(
          (settled) => { results[name] = Boolean(settled); },
          (error) => { results[name] = false; thrown ??= { error }; },
        ),
      );
    }
    results[name] = result;
    if (thrown) break;
  }
  const judge = () => {
    const held = checkNow(value, results, tags);
    if (thrown) throw thrown.error;
    return held;
  };
  return waiting.length > 0 ? Promise.all(waiting).then(judge) : judge();
}

/** The number of the scenario's current stage, from 0. */
export function getCurrentStageIndex() {
  return stage()[0];
}

/** Tags all later samples of this virtual user with the stage's number. */
export function tagWithCurrentStageIndex() {
  tag('stage', getCurrentStageIndex());
}

/** Tags all later samples of this virtual user with where the stage goes: ramp-up, steady or ramp-down. */
export function tagWithCurrentStageProfile() {
  tag('stage_profile', ['ramp-down', 'steady', 'ramp-up'][stage()[1] + 1]);
}

export function parseHTML() {
  throw new Error("parseHTML() is a function of k6/html: import { parseHTML } from 'k6/html'");
}

export default {
  check, findBetween, getCurrentStageIndex, normalDistributionStages, parseHTML, randomIntBetween, randomItem, randomString,
  tagWithCurrentStageIndex, tagWithCurrentStageProfile, uuidv4,
};
