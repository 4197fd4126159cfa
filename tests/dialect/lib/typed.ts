export interface Named {
  name: string;
}

export const greeting = (name: string): string => `hello ${name}`;
