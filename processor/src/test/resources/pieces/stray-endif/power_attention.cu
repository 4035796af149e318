a
#endif
