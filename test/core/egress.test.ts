import { describe, expect, it } from 'vitest'

import { isPublicAddress, parseEgressRules, refuseEgress } from '#core/egress'

describe('isPublicAddress()', () => {
  it.each([
    '0.0.0.0',
    '0.1.2.3',
    '10.1.2.3',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '127.255.255.254',
    '168.63.129.16',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.192',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::FFFF:10.0.0.1',
    '64:ff9b::7f00:1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    '2001:db8::1',
    '2001::1',
    '2002:7f00:1::',
    'localhost',
    '',
  ])('is false for %s', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })

  it.each(['1.1.1.1', '172.32.0.1', '100.63.255.255', '223.255.255.255', '2606:4700::1111', '::ffff:1.1.1.1'])(
    'is true for %s',
    (address) => {
      expect(isPublicAddress(address)).toBe(true)
    },
  )
})

describe('refuseEgress()', () => {
  const local = { host: 'db.local', port: 5432, address: '10.0.0.5' }

  it('lets everything public through', () => {
    expect(refuseEgress({ host: 'example.com', port: 443, address: '93.184.216.34' }, [])).toBeUndefined()
  })

  it('says what a name resolved to when that is not public', () => {
    expect(refuseEgress(local, [])).toContain('db.local resolves to 10.0.0.5')
    expect(refuseEgress({ host: '127.0.0.1', port: 80, address: '127.0.0.1' }, [])).toMatch(/^127\.0\.0\.1 is not/)
  })

  it.each(['db.local', 'DB.local', 'db.local:5432', '*.local', '*', '10.0.0.5', '10.0.0.0/8', '0.0.0.0/0'])(
    'lets a private address through that %s names',
    (entry) => {
      expect(refuseEgress(local, parseEgressRules([entry]))).toBeUndefined()
    },
  )

  it.each(['other.local', 'db.local:80', '*.db.local', 'local', '10.0.0.6', '10.1.0.0/16', '::/0'])(
    'does not take %s for it',
    (entry) => {
      expect(refuseEgress(local, parseEgressRules([entry]))).toBeDefined()
    },
  )

  it('sees through IPv4 addresses in IPv6 clothes, in targets and in rules', () => {
    const target = { host: '::ffff:7f00:1', port: 80, address: '::ffff:7f00:1' }
    expect(refuseEgress(target, [])).toBeDefined()
    expect(refuseEgress(target, parseEgressRules(['127.0.0.1']))).toBeUndefined()
    expect(refuseEgress({ ...target, address: '127.0.0.1' }, parseEgressRules(['::ffff:127.0.0.1']))).toBeUndefined()
  })

  it('takes IPv6 hosts with a port', () => {
    const target = { host: 'fd00::1', port: 8080, address: 'fd00::1' }
    expect(refuseEgress(target, parseEgressRules(['[fd00::1]:8080']))).toBeUndefined()
    expect(refuseEgress(target, parseEgressRules(['[fd00::1]:80']))).toBeDefined()
    expect(refuseEgress(target, parseEgressRules(['[fd00::1]']))).toBeUndefined()
  })
})

describe('parseEgressRules()', () => {
  it.each(['10.0.0.0/33', 'name/8', 'a:b:c', 'host:port', '1.2.3.4/', 'fd00::/129'])('refuses %s', (entry) => {
    expect(() => parseEgressRules([entry])).toThrow(RangeError)
  })
})
