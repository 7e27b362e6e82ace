exports.hello = (request, response) => {
  response.type('text/plain').send('hello world')
}
