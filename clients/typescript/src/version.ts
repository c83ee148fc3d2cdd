/** The version of this client: that of the gateway whose documents it is made from. */
export const VERSION = "0.1.0";
