/** The message of what a call throws. */
export function thrown(call) {
  try {
    call();
  } catch (error) {
    return error.message;
  }
  return 'nothing';
}
