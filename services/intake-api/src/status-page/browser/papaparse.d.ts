// A classic script of the page: it leaves its parser in the global scope.
import type parser from 'papaparse';

declare global {
  var Papa: typeof parser;
}
