// Package php reads and writes the format of PHP's serialize function, in which PHP programs keep values in caches,
// sessions and queues.
//
// There are two ways to use it. [Marshal] and [Unmarshal] go between serialized text and Go values, as encoding/json does
// for JSON. [Decode] and [Encode] go between text and a [Value], which is everything that the text says: the order of
// arrays, the classes, properties and visibility of objects, enums and references. [JSON] and [Pretty] show a Value to
// programs and to people, [FromJSON] makes one of JSON, and [TypeName] and [Head] tell what a text is by its first bytes.
//
// # What it promises
//
// The package reads whatever PHP 8.2 reads, and gives the value that PHP gives; [Decode] lists the three differences,
// which all are refusals. What PHP itself wrote, Decode and Encode give back byte for byte. What Marshal writes, PHP
// reads with the same types.
//
// No input makes it panic, and none makes it take memory or time out of proportion to the input's length: lengths and
// counts are checked against the bytes that are left before anything is allocated for them, nesting ends at [MaxDepth],
// and references are never followed without a bound.
//
// Objects are read and never written by Marshal. PHP runs code of a class when it reads an object of it, so whoever can
// write objects into a cache can run code in the program that reads them; and Laravel 13 can be set to refuse them.
//
// Values can be secrets, and so no error's text contains any part of one. It tells the place in bytes, or as a path of keys.
//
// All functions may be called by several goroutines at once. Nothing that they return shares memory with their input, or
// keeps it alive.
//
// # The format
//
//	N;                                null
//	b:1;                              bool
//	i:-7;                             int
//	d:0.5;                            float
//	s:5:"bytes";                      string: the length in bytes, and the bytes as they are
//	a:2:{i:0;s:1:"x";s:1:"k";N;}      array: the number of entries, and each key (an int or string) and value
//	O:3:"App":1:{s:2:"id";i:7;}       object: the class and its properties
//	C:3:"App":4:{text}                object that wrote itself (Serializable)
//	E:11:"Suit:Hearts";               case of an enum (PHP 8.1)
//	R:2; r:2;                         the second value of the text once more: as a PHP reference (&), or the same object
package php
