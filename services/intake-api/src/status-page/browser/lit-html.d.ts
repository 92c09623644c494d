// Served beside the page's own modules, from the library's package.
export * from 'lit-html';
