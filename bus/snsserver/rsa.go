package snsserver

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"math/big"
)

// An rsaKey is an RSA key whose modulus has eight primes (RFC 8017, section 3.2).
// Those who verify see an ordinary key of 2,048 bits or a few less. With eight
// primes instead of two a signature takes a fifth of the processor time, and there
// is one in each publication. Package crypto/rsa makes no use of more than two.
//
// Eight primes make the key weaker against factoring, though still out of reach,
// and the arithmetic here takes no care to hide it from those who can time it.
// That is enough for a key that lasts as long as its process, and that signs for
// everybody who can reach it.
type rsaKey struct {
	public rsa.PublicKey
	primes []rsaPrime
}

// An rsaPrime is one prime, with what the Chinese remainder theorem needs of it.
type rsaPrime struct {
	p *big.Int
	d *big.Int // the private exponent modulo p-1
	c *big.Int // 1 modulo p, 0 modulo the other primes
}

const (
	primes    = 8
	primeBits = 256
)

func newRSAKey() (*rsaKey, error) {
	k := &rsaKey{public: rsa.PublicKey{N: big.NewInt(1), E: 65537}}
	e, one := big.NewInt(int64(k.public.E)), big.NewInt(1)
	for len(k.primes) < primes {
		p, err := rand.Prime(rand.Reader, primeBits)
		if err != nil {
			return nil, err
		}
		d := new(big.Int).ModInverse(e, new(big.Int).Sub(p, one))
		if d == nil || new(big.Int).Mod(k.public.N, p).Sign() == 0 { // one in thousands, or a prime that is there
			continue
		}
		k.primes = append(k.primes, rsaPrime{p: p, d: d})
		k.public.N.Mul(k.public.N, p)
	}
	for i := range k.primes {
		f := &k.primes[i]
		others := new(big.Int).Div(k.public.N, f.p)
		f.c = others.Mul(others, new(big.Int).ModInverse(others, f.p))
	}
	return k, nil
}

// Public returns the public key.
func (k *rsaKey) Public() crypto.PublicKey { return &k.public }

// digestInfo begins what is signed of a digest, by the hash
// (RFC 8017, section 9.2, note 1).
var digestInfo = map[crypto.Hash]string{
	crypto.SHA1:   "\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
	crypto.SHA256: "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
}

// Sign signs a digest by RSASSA-PKCS1-v1_5.
func (k *rsaKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	info, ok := digestInfo[opts.HashFunc()]
	if !ok || len(digest) != opts.HashFunc().Size() {
		return nil, errors.New("snsserver: only digests of SHA-1 and SHA-256 are signed")
	}
	padded := make([]byte, k.public.Size())
	padded[1] = 1
	end := len(padded) - len(info) - len(digest)
	for i := 2; i < end-1; i++ {
		padded[i] = 0xff
	}
	copy(padded[end:], info)
	copy(padded[end+len(info):], digest)
	return k.decrypt(new(big.Int).SetBytes(padded)).FillBytes(padded), nil
}

// decrypt returns m to the power of the private exponent, put together from that
// power modulo each prime.
func (k *rsaKey) decrypt(m *big.Int) *big.Int {
	var sum, power big.Int
	for i := range k.primes {
		f := &k.primes[i]
		power.Exp(power.Mod(m, f.p), f.d, f.p)
		sum.Add(&sum, power.Mul(&power, f.c))
	}
	return sum.Mod(&sum, k.public.N)
}
