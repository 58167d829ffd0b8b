/* Hexadecimal digits. */
#ifndef KOPRU_BASE_HEX_H
#define KOPRU_BASE_HEX_H

/* The value of the digit, of either case; -1 if the character is not one. */
static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
