/**
 * Plays once more until enough was seen to prove something. On a busy machine less is seen in one go, and how much is no
 * matter of the test; what never comes to be seen ends in its time-out.
 */
export async function untilProven(play: () => Promise<void>, isProven: () => boolean): Promise<void> {
  do await play();
  while (!isProven());
}
