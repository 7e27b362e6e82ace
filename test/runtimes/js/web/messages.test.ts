import { describe, expect, it } from 'vitest'

import { Blob, File } from '#runtimes/js/web/blob'
import { bodyInMemory } from '#runtimes/js/web/body'
import { FormData } from '#runtimes/js/web/form-data'
import { ReadableStream } from '#runtimes/js/web/readable-stream'
import { Request } from '#runtimes/js/web/request'
import { Response } from '#runtimes/js/web/response'
import { URLSearchParams } from '#runtimes/js/web/url-search-params'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('Response', () => {
  it('has the content type of its body, unless another is given', () => {
    expect(new Response('x').headers.get('content-type')).toBe('text/plain;charset=UTF-8')
    expect(new Response('x', { headers: { 'content-type': 'a/b' } }).headers.get('content-type')).toBe('a/b')
    expect(new Response(bytes('x')).headers.get('content-type')).toBeNull()
    expect(new Response(new URLSearchParams('a=b')).headers.get('content-type')).toMatch(/urlencoded/)
    expect(new Response(new Blob(['x'], { type: 'c/d' })).headers.get('content-type')).toBe('c/d')
    expect(Response.json({}).headers.get('content-type')).toBe('application/json')
  })

  it('is read once, in every way', async () => {
    const buffer = await new Response('hé').arrayBuffer()
    expect(new Uint8Array(buffer)).toEqual(bytes('hé'))
    expect(await new Response('{"a":1}').json()).toEqual({ a: 1 })
    expect(await new Response(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41)).text()).toBe('A')
    expect(await (await new Response('abc').blob()).text()).toBe('abc')
    const once = new Response('x')
    await once.text()
    expect(once.bodyUsed).toBe(true)
    await expect(once.text()).rejects.toThrow(TypeError)
    expect(() => once.clone()).toThrow(TypeError)
  })

  it('keeps its own copy of bytes', async () => {
    const given = bytes('before')
    const response = new Response(given)
    given.fill(0)
    expect(await response.text()).toBe('before')
  })

  it('reads and clones streams', async () => {
    const response = new Response(ReadableStream.from([bytes('a'), bytes('b')]))
    const copy = response.clone()
    expect([await response.text(), await copy.text()]).toEqual(['ab', 'ab'])
    await expect(new Response(ReadableStream.from(['text']) as never).text()).rejects.toThrow(/Uint8Array/)
  })

  it('stays in memory when middleware passes its body on', () => {
    const inner = new Response('whole')
    expect(bodyInMemory(new Response(inner.body, inner))).toEqual(bytes('whole'))
    const read = new Response('whole')
    void read.body?.getReader().read()
    expect(bodyInMemory(read)).toBeUndefined()
  })

  it('refuses what no response can be', () => {
    expect(() => new Response('', { status: 99 })).toThrow(RangeError)
    expect(() => new Response('x', { status: 204 })).toThrow(TypeError)
    expect(() => Response.redirect('http://a/', 200)).toThrow(RangeError)
    expect(Response.redirect('http://a/b').headers.get('location')).toBe('http://a/b')
  })
})

describe('Request', () => {
  it('is made of a URL or another request, whose body it takes', async () => {
    const first = new Request('http://a/b?c', { method: 'post', body: 'x', headers: { h: '1' } })
    const second = new Request(first, { headers: { h: '2' } })
    expect([second.method, second.url, second.headers.get('h'), await second.text()]).toEqual([
      'POST',
      'http://a/b?c',
      '2',
      'x',
    ])
    expect(first.bodyUsed).toBe(true)
    const third = new Request('http://a/', { method: 'PATCH', body: 'y' })
    expect([await third.clone().text(), await third.text()]).toEqual(['y', 'y'])
  })

  it('refuses a body on GET, forbidden methods, relative URLs and credentials', () => {
    for (const method of ['GET', 'HEAD']) {
      expect(() => new Request('http://a/', { method, body: 'x' })).toThrow(TypeError)
    }
    expect(() => new Request('http://a/', { method: 'TRACE' })).toThrow(TypeError)
    expect(() => new Request('http://a/', { method: 'a b' })).toThrow(TypeError)
    expect(() => new Request('/a')).toThrow(TypeError)
    expect(() => new Request('http://u:p@a/')).toThrow(TypeError)
  })
})

describe('FormData', () => {
  it('goes through multipart and comes back', async () => {
    const form = new FormData()
    form.append('text "quoted"', 'line\nbreak é')
    form.append('file', new File([Uint8Array.of(0, 13, 10, 255)], 'ä.bin', { type: 'a/b' }))
    form.append('empty', '')
    const back = await new Response(form).formData()
    expect([...back.keys()]).toEqual(['text "quoted"', 'file', 'empty'])
    expect(back.get('text "quoted"')).toBe('line\r\nbreak é')
    const file = back.get('file') as File
    expect([file.name, file.type, [...(await file.bytes())]]).toEqual(['ä.bin', 'a/b', [0, 13, 10, 255]])
  })

  it('reads what Node writes, and Node reads what it writes', async () => {
    const theirs = new globalThis.FormData()
    theirs.append('a', 'é')
    theirs.append('f', new globalThis.Blob(['x']), 'x.txt')
    const sent = new globalThis.Response(theirs)
    const headers = { 'content-type': sent.headers.get('content-type') as string }
    const ours = await new Response(new Uint8Array(await sent.arrayBuffer()), { headers }).formData()
    expect([ours.get('a'), (ours.get('f') as File).name]).toEqual(['é', 'x.txt'])
    const back = new Response(ours)
    const type = { 'content-type': back.headers.get('content-type') as string }
    const read = await new globalThis.Response((await back.arrayBuffer()) as ArrayBuffer, { headers: type }).formData()
    expect(read.get('a')).toBe('é')
  })

  it('reads forms that are not multipart, and refuses what is no form', async () => {
    const form = await new Response(new URLSearchParams('a=1&a=2')).formData()
    expect(form.getAll('a')).toEqual(['1', '2'])
    await expect(new Response('x').formData()).rejects.toThrow(/text\/plain/)
    const headers = { 'content-type': 'multipart/form-data; boundary=b' }
    await expect(new Response('garbage', { headers }).formData()).rejects.toThrow(TypeError)
  })
})
