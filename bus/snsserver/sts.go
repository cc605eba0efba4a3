package snsserver

// GetCallerIdentity, of STS: enough for tools that ask whose credentials they
// have before they begin.
//
// Not as on AWS: the caller is always the root of its account.

func (c *call) getCallerIdentity() error {
	c.xml.text("Arn", "arn:"+c.arn("").Partition+":iam::"+c.account+":root")
	c.xml.text("UserId", c.account)
	c.xml.text("Account", c.account)
	return nil
}
